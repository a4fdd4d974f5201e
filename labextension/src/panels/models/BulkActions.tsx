import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { bytes } from '../lib/format';
import { t } from '../messages';
import type { Model } from '../types';
import { Button } from '../ui/Button';
import { Confirm } from '../ui/Confirm';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';
import { DeleteQuestion } from './DeleteQuestion';

interface Props {
  /** The models that are chosen. */
  chosen: readonly Model[];
  /** All that could be chosen. */
  all: readonly Model[];
  onChoose: (ids: string[]) => void;
  onCompare: (first: Model, second: Model) => void;
  onSaid: (text: string) => void;
}

/** What can be done with several models at once. */
export function BulkActions({ chosen, all, onChoose, onCompare, onSaid }: Props) {
  const { store } = usePanel();
  const [asking, setAsking] = useState(false);
  const remove = useAction(async () => {
    const { deleted, freed_bytes, failed } = await store.removeModels(chosen.map(each => each.id));
    setAsking(false);
    onChoose(chosen.map(each => each.id).filter(id => !deleted.includes(id)));
    const done = t(deleted.length === 1 ? 'many.deleted.one' : 'many.deleted.other', {
      n: deleted.length,
      bytes: bytes(freed_bytes)
    });
    const names = new Map(chosen.map(each => [each.id, each.name]));
    const refused = failed.map(each =>
      t('many.failed', { name: names.get(each.id) ?? each.id, message: each.message })
    );
    onSaid([...(deleted.length > 0 ? [done] : []), ...refused].join(' '));
  });
  const [first, second] = chosen;
  return (
    <div class="jp-mistudio-bulk" role="group" aria-label={t('many.select')}>
      <div class="jp-mistudio-actions">
        <span class="jp-mistudio-hint" role="status">
          {t('many.count', { n: chosen.length })}
        </span>
        <Button onClick={() => onChoose(all.map(each => each.id))}>{t('many.all')}</Button>
        <Button
          disabled={chosen.length !== 2 || chosen.some(each => each.state !== 'ready')}
          title={t('many.compare.hint')}
          onClick={() => first && second && onCompare(first, second)}
        >
          {t('many.compare')}
        </Button>
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
          question={<DeleteQuestion models={chosen} />}
          action={t('action.delete')}
          busy={remove.busy}
          onConfirm={() => void remove.run()}
          onCancel={() => setAsking(false)}
        />
      )}
    </div>
  );
}
