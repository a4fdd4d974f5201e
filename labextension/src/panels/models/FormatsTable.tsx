import { bytes } from '../lib/format';
import { t, tData } from '../messages';
import type { Device } from '../types';
import { useUid } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import type { IconName } from '../ui/Icon';
import { verdict } from './hub';
import type { FormatEstimate, Verdict } from './hub';

const LOOK: Record<Verdict, [kind: string, icon: IconName]> = {
  yes: ['good', 'check'],
  tight: ['waiting', 'alert'],
  no: ['bad', 'cross'],
  unknown: ['waiting', 'dash']
};

interface Props {
  rows: readonly FormatEstimate[];
  device: Device | undefined;
  value: string;
  onChange: (format: string) => void;
}

/** The formats as a choice: what each takes, and whether it fits. */
export function FormatsTable({ rows, device, value, onChange }: Props) {
  const group = useUid('format');
  const kind = device?.kind ?? 'cpu';
  const extracting = rows.some(row => row.extraction_bytes);
  return (
    <div class="jp-mistudio-scroll">
      <table class="jp-mistudio-table jp-mistudio-formats" aria-label={t('card.formats')}>
        <thead>
          <tr>
            <th scope="col">{t('card.format')}</th>
            <th scope="col">{t('card.format.disk')}</th>
            <th scope="col">{t('card.format.load')}</th>
            {extracting && <th scope="col">{t('card.format.extract')}</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr
              key={row.format}
              class={row.format === value ? 'jp-mistudio-mod-chosen' : undefined}
              onClick={() => !row.unavailable && onChange(row.format)}
            >
              <th scope="row">
                <label>
                  <input
                    type="radio"
                    name={group}
                    value={row.format}
                    checked={row.format === value}
                    disabled={Boolean(row.unavailable)}
                    onChange={() => onChange(row.format)}
                  />
                  <span>{row.format}</span>
                </label>
                {!row.unavailable && <Fits verdict={verdict(row, device)} />}
                {row.recommended && (
                  <span class="jp-mistudio-recommended">{t('card.recommended')}</span>
                )}
                {!row.unavailable && <ComputesIn row={row} kind={kind} />}
              </th>
              {row.unavailable ? (
                <td colSpan={extracting ? 3 : 2} class="jp-mistudio-reason">
                  {t('format.unavailable', { reason: row.unavailable })}
                </td>
              ) : (
                <>
                  <td>{bytes(row.disk_bytes ?? row.download_bytes)}</td>
                  <td>{bytes(row.memory_bytes[kind])}</td>
                  {extracting && <td>{bytes(row.extraction_bytes?.[kind])}</td>}
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** In which dtype a format computes on a kind of device. */
export function ComputesIn({ row, kind }: { row: FormatEstimate | undefined; kind: string }) {
  const dtype = row?.computes_in?.[kind];
  return dtype ? (
    <span class="jp-mistudio-computes">{t('format.computesIn', { dtype })}</span>
  ) : null;
}

function Fits({ verdict: found }: { verdict: Verdict }) {
  const [kind, icon] = LOOK[found];
  return (
    <span class={`jp-mistudio-pill jp-mistudio-mod-${kind}`}>
      <Icon name={icon} />
      {tData('fits', found)}
    </span>
  );
}
