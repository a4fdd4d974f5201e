import { usePanel } from '../context';
import { bytes } from '../lib/format';
import { count, t } from '../messages';
import type { Dataset } from '../types';
import { BulkDelete } from '../ui/BulkDelete';
import { DeleteQuestion } from './DeleteQuestion';
import { removeMany } from './rest';

interface Props {
  chosen: readonly Dataset[];
  all: readonly Dataset[];
  onChoose: (ids: string[]) => void;
  onSaid: (text: string) => void;
}

/** What can be done with several datasets at once. */
export function BulkActions(props: Props) {
  const { store } = usePanel();
  return (
    <BulkDelete
      {...props}
      remove={async ids => {
        const answer = await removeMany(store.api, ids);
        answer.deleted.forEach(id => store.datasets.remove(id));
        return answer;
      }}
      said={(n, freed) => t('datasets.deleted', { what: count(n, 'dataset'), bytes: bytes(freed) })}
      question={<DeleteQuestion datasets={props.chosen} />}
    />
  );
}
