import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Architecture, Model } from '../types';
import { CheckField } from '../ui/CheckField';
import { DetailHead } from '../ui/DetailHead';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField } from '../ui/Field';
import { Section } from '../ui/Section';
import { comparedConfigs, comparedFacts, comparedHooks } from './compare';
import type { ComparedRow } from './compare';

interface Props {
  first: Model;
  second: Model;
  onChange: (first: string, second: string) => void;
  onBack: () => void;
}

/** Two models side by side, differences marked. */
export function CompareView({ first, second, onChange, onBack }: Props) {
  const { store } = usePanel();
  const [left, right] = [store.architecture(first.id).value, store.architecture(second.id).value];
  const options = store.models.list.value
    .filter(model => model.state === 'ready')
    .map(model => ({ value: model.id, label: model.name }));
  const error = left.error ?? right.error;
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-compare">
      <DetailHead name={t('compare.title')} state="ready" onBack={onBack} takesFocus />
      <div class="jp-mistudio-pickers">
        <SelectField
          label={t('compare.first')}
          value={first.id}
          options={options}
          onChange={id => onChange(id, second.id)}
        />
        <SelectField
          label={t('compare.second')}
          value={second.id}
          options={options}
          onChange={id => onChange(first.id, id)}
        />
      </div>
      {error && (
        <ErrorNote
          error={error}
          onRetry={() => {
            store.reloadArchitecture(first.id);
            store.reloadArchitecture(second.id);
          }}
        />
      )}
      {left.value && right.value && (
        <Compared names={[first.name, second.name]} first={left.value} second={right.value} />
      )}
    </div>
  );
}

interface ComparedProps {
  names: [string, string];
  first: Architecture;
  second: Architecture;
}

function Compared({ names, first, second }: ComparedProps) {
  const [only, setOnly] = useState(false);
  const hooks = comparedHooks(first, second);
  const differing = [
    [names[0], hooks.onlyFirst],
    [names[1], hooks.onlySecond]
  ] as const;
  return (
    <>
      <CheckField label={t('compare.onlyDifferences')} checked={only} onChange={setOnly} />
      <ComparedTable
        title={t('architecture.title')}
        names={names}
        rows={comparedFacts(first, second)}
        only={only}
      />
      <Section title={t('compare.hooks')}>
        {differing.every(([, shorts]) => shorts.length === 0) ? (
          <p>{t('compare.hooks.same')}</p>
        ) : (
          differing
            .filter(([, shorts]) => shorts.length > 0)
            .map(([name, shorts]) => (
              <p key={name}>{t('compare.hooks.only', { name, hooks: shorts.join(', ') })}</p>
            ))
        )}
      </Section>
      <ComparedTable
        title={t('compare.config')}
        names={names}
        rows={comparedConfigs(first, second)}
        only={only}
        code
      />
    </>
  );
}

interface TableProps {
  title: string;
  names: [string, string];
  rows: ComparedRow[];
  only: boolean;
  code?: boolean;
}

function ComparedTable({ title, names, rows, only, code }: TableProps) {
  const differences = rows.filter(row => !row.same).length;
  const visible = only ? rows.filter(row => !row.same) : rows;
  const value = (text: string) => (code ? <code>{text}</code> : text);
  return (
    <Section title={title} aside={t('compare.count', { n: differences })}>
      {visible.length === 0 ? (
        <p class="jp-mistudio-hint">{t('compare.same')}</p>
      ) : (
        <table class="jp-mistudio-table jp-mistudio-compared" aria-label={title}>
          <thead>
            <tr>
              <th scope="col">{t('compare.fact')}</th>
              <th scope="col">{names[0]}</th>
              <th scope="col">{names[1]}</th>
            </tr>
          </thead>
          <tbody>
            {visible.map(row => (
              <tr key={row.key} class={row.same ? undefined : 'jp-mistudio-mod-differs'}>
                <th scope="row">
                  {row.same ? null : (
                    <span class="jp-mistudio-differs" title={t('compare.differs')}>
                      ≠<span class="jp-mistudio-hidden">{t('compare.differs')}</span>
                    </span>
                  )}
                  {value(row.key)}
                </th>
                <td>{value(row.first)}</td>
                <td>{value(row.second)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}
