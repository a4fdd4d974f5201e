import { usePanel } from '../context';
import { bytes } from '../lib/format';
import { t } from '../messages';
import type { Model } from '../types';
import { BulkDelete } from '../ui/BulkDelete';
import { Button } from '../ui/Button';
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
export function BulkActions({ onCompare, ...rest }: Props) {
  const { store } = usePanel();
  const { chosen } = rest;
  const [first, second] = chosen;
  return (
    <BulkDelete
      {...rest}
      remove={ids => store.removeModels(ids)}
      said={(n, freed) =>
        t(n === 1 ? 'many.deleted.one' : 'many.deleted.other', { n, bytes: bytes(freed) })
      }
      question={<DeleteQuestion models={chosen} />}
    >
      <Button
        disabled={chosen.length !== 2 || chosen.some(each => each.state !== 'ready')}
        title={t('many.compare.hint')}
        onClick={() => first && second && onCompare(first, second)}
      >
        {t('many.compare')}
      </Button>
    </BulkDelete>
  );
}
