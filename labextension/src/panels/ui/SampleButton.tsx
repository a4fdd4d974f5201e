import { t } from '../messages';
import type { MessageKey } from '../messages';
import { Button } from './Button';
import { ErrorNote } from './ErrorNote';
import { useAction } from './hooks';

interface Props {
  label: MessageKey;
  /** What there is already: with the sample among it there is no button. */
  records: readonly { source: string }[];
  add: () => Promise<unknown>;
  primary?: boolean;
}

/** Adds what is bundled, as long as it is not there. */
export function SampleButton({ label, records, add, primary }: Props) {
  const adding = useAction(add);
  if (records.some(record => record.source === 'sample')) {
    return null;
  }
  return (
    <>
      <Button
        kind={primary ? 'primary' : 'normal'}
        busy={adding.busy}
        onClick={() => void adding.run()}
      >
        {t(label)}
      </Button>
      {adding.error && <ErrorNote error={adding.error} onDismiss={adding.clear} />}
    </>
  );
}
