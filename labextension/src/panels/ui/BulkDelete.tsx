import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../messages';
import { Button } from './Button';
import { Confirm } from './Confirm';
import { ErrorNote } from './ErrorNote';
import { useAction } from './hooks';

interface Item {
  id: string;
  name: string;
}

interface Deleted {
  deleted: string[];
  freed_bytes: number;
  failed: { id: string; message: string }[];
}

interface Props<T extends Item> {
  chosen: readonly T[];
  /** All that could be chosen. */
  all: readonly T[];
  onChoose: (ids: string[]) => void;
  onSaid: (text: string) => void;
  remove: (ids: string[]) => Promise<Deleted>;
  /** "Deleted 2 models; 3 MB freed." */
  said: (n: number, freed: number) => string;
  /** What deleting means, shown before it is done. */
  question: ComponentChildren;
  /** Further things to do with what is chosen. */
  children?: ComponentChildren;
}

/** Deletes several records at once; what is in use stays chosen, and is named. */
export function BulkDelete<T extends Item>(props: Props<T>) {
  const { chosen, all, onChoose } = props;
  const [asking, setAsking] = useState(false);
  const remove = useAction(async () => {
    const { deleted, freed_bytes, failed } = await props.remove(chosen.map(each => each.id));
    setAsking(false);
    const left = chosen.filter(each => !deleted.includes(each.id));
    onChoose(left.map(each => each.id));
    const gone = chosen.length - left.length;
    const names = new Map(chosen.map(each => [each.id, each.name]));
    const refused = failed.map(each =>
      t('many.failed', { name: names.get(each.id) ?? each.id, message: each.message })
    );
    props.onSaid([...(gone > 0 ? [props.said(gone, freed_bytes)] : []), ...refused].join(' '));
  });
  return (
    <div class="jp-mistudio-bulk" role="group" aria-label={t('many.select')}>
      <div class="jp-mistudio-actions">
        <span class="jp-mistudio-hint" role="status">
          {t('many.count', { n: chosen.length })}
        </span>
        <Button onClick={() => onChoose(all.map(each => each.id))}>{t('many.all')}</Button>
        {props.children}
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
          question={props.question}
          action={t('action.delete')}
          busy={remove.busy}
          onConfirm={() => void remove.run()}
          onCancel={() => setAsking(false)}
        />
      )}
    </div>
  );
}
