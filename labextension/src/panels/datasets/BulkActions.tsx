import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { bytes } from '../lib/format';
import { count, t } from '../messages';
import type { Dataset } from '../types';
import { Button } from '../ui/Button';
import { Confirm } from '../ui/Confirm';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';
import { DeleteQuestion } from './DeleteQuestion';
import { removeMany } from './rest';

interface Props {
  chosen: readonly Dataset[];
  all: readonly Dataset[];
  onChoose: (ids: string[]) => void;
  onSaid: (text: string) => void;
}

/** Deletes several datasets at once; what is in use stays and is named. */
export function BulkActions({ chosen, all, onChoose, onSaid }: Props) {
  const { store } = usePanel();
  const [asking, setAsking] = useState(false);
  const remove = useAction(async () => {
    const { deleted, freed_bytes, failed } = await removeMany(
      store.api,
      chosen.map(each => each.id)
    );
    deleted.forEach(id => store.datasets.remove(id));
    setAsking(false);
    const gone = chosen.filter(each => deleted.includes(each.id));
    onChoose(chosen.filter(each => !gone.includes(each)).map(each => each.id));
    const names = new Map(chosen.map(each => [each.id, each.name]));
    onSaid(
      [
        ...(gone.length > 0
          ? [
              t('datasets.deleted', {
                what: count(gone.length, 'dataset'),
                bytes: bytes(freed_bytes)
              })
            ]
          : []),
        ...failed.map(each =>
          t('many.failed', { name: names.get(each.id) ?? each.id, message: each.message })
        )
      ].join(' ')
    );
  });
  return (
    <div class="jp-mistudio-bulk" role="group" aria-label={t('many.select')}>
      <div class="jp-mistudio-actions">
        <span class="jp-mistudio-hint" role="status">
          {t('many.count', { n: chosen.length })}
        </span>
        <Button onClick={() => onChoose(all.map(each => each.id))}>{t('many.all')}</Button>
        <Button
          kind="danger"
          icon="trash"
          disabled={chosen.length === 0}
          onClick={() => setAsking(true)}
        >
          {t('many.delete')}
        </Button>
      </div>
      {remove.error && <ErrorNote error={remove.error} onDismiss={remove.clear} />}
      {asking && chosen.length > 0 && (
        <Confirm
          question={<DeleteQuestion datasets={chosen} />}
          action={t('action.delete')}
          busy={remove.busy}
          onConfirm={() => void remove.run()}
          onCancel={() => setAsking(false)}
        />
      )}
    </div>
  );
}
