import { tData } from '../messages';
import { Icon } from './Icon';
import type { IconName } from './Icon';

const LOOK: Record<string, [kind: string, icon: IconName]> = {
  pending: ['active', 'spinner'],
  queued: ['waiting', 'clock'],
  running: ['active', 'spinner'],
  ready: ['good', 'check'],
  done: ['good', 'check'],
  failed: ['bad', 'alert'],
  interrupted: ['bad', 'alert'],
  cancelled: ['waiting', 'stop']
};

/** A state as icon and word, so that it never depends on colour. */
export function Pill({ state }: { state: string }) {
  const [kind, icon] = LOOK[state] ?? ['waiting', 'dash'];
  return (
    <span class={`jp-mistudio-pill jp-mistudio-mod-${kind}`} data-state={state}>
      <Icon name={icon} />
      {tData('state', state)}
    </span>
  );
}
