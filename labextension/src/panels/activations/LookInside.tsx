import { useEffect, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Extraction } from '../types';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField, TextField } from '../ui/Field';
import { useFetch } from '../ui/hooks';
import { Disclosure, Section } from '../ui/Section';
import { useLook } from './choice';
import { PlaneView } from './PlaneView';
import { TokenView } from './TokenView';
import { TopSamples } from './TopSamples';

/** Tokens coloured by what the model has there, the samples where it is strongest, a projection. */
export function LookInside({ extraction }: { extraction: Extraction }) {
  const { host, store } = usePanel();
  const look = useLook(host, extraction);
  const { choice, choose } = look;
  const key = JSON.stringify([extraction.id, choice]);
  const sample = useFetch(key, signal =>
    store.api.tokens(
      extraction.id,
      {
        hook: choice.hook,
        dimension: choice.dimension,
        sample: choice.sample,
        position: extraction.spec.positions === 'all' ? choice.token : null
      },
      signal
    )
  );
  useEffect(() => {
    // Python sees the same first choice as the person.
    if (host.selection.peek()['hook'] !== choice.hook) {
      choose({});
    }
  }, [choice.hook]);
  const error = sample.error;
  return (
    <Section title={t('look.title')}>
      <div class="jp-mistudio-look-what">
        <SelectField
          label={t('look.hook')}
          value={choice.hook}
          options={(extraction.spec.hooks ?? []).map(value => ({ value, label: value }))}
          onChange={hook => choose({ hook })}
        />
        <DimensionField
          dimension={choice.dimension}
          width={sample.value?.width ?? null}
          onChange={dimension => choose({ dimension })}
          error={error?.field === 'dimension' ? error.message : null}
        />
      </div>
      {error && error.field !== 'dimension' && <ErrorNote error={error} onRetry={sample.reload} />}
      {sample.value && <TokenView look={look} shown={sample.value} busy={sample.loading} />}
      <Disclosure title={t('top.title')}>
        <TopSamples look={look} />
      </Disclosure>
      <Disclosure title={t('plane.title')}>
        <PlaneView look={look} />
      </Disclosure>
    </Section>
  );
}

interface DimensionProps {
  dimension: number | null;
  width: number | null;
  onChange: (dimension: number | null) => void;
  error: string | null;
}

/** A dimension as a number, or nothing for the norm; what cannot be read changes nothing. */
function DimensionField({ dimension, width, onChange, error }: DimensionProps) {
  const shown = dimension === null ? '' : String(dimension);
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  const last = (width ?? 1) - 1;
  const readable = (value: string): boolean =>
    /^\d*$/.test(value.trim()) && (width === null || Number(value) <= last);
  return (
    <TextField
      label={t('look.dimension')}
      value={text}
      numeric
      placeholder={t('look.norm')}
      hint={width === null ? undefined : t('look.dimension.hint', { last })}
      error={readable(text) ? error : t('look.dimension.bad', { last })}
      onChange={value => {
        setText(value);
        if (readable(value)) {
          onChange(value.trim() === '' ? null : Number(value));
        }
      }}
    />
  );
}
