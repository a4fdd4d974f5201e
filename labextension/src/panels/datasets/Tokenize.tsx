import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t, tData } from '../messages';
import type { Dataset } from '../types';
import { CheckField } from '../ui/CheckField';
import { NumberField, SelectField, TextField } from '../ui/Field';
import { Disclosure } from '../ui/Section';
import { FormEnd, useSubmit } from '../ui/useSubmit';
import { Presets } from './Presets';
import { tokenize } from './rest';
import { asSettings, DEFAULTS } from './settings';
import type { TokenizeForm } from './settings';
import { TokenizePreview } from './TokenizePreview';
import type { TokenizeSettings } from './types';

interface Props {
  dataset: Dataset;
  split: string;
  onStarted: () => void;
  onClose: () => void;
}

const MODES: readonly TokenizeSettings['mode'][] = ['truncate', 'chunk', 'pack'];
const BOS: readonly TokenizeSettings['bos'][] = ['auto', 'each', 'first', 'none'];
const FOLDED = ['min_tokens', 'min_chars', 'max_rows', 'max_junk_share'];
const FIELDS = ['model', 'tokenizer', 'split', 'column', 'context', 'mode', 'overlap', ...FOLDED];

/** How a dataset becomes tokens: every setting, and at once what it does to a text. */
export function Tokenize({ dataset, split, onStarted, onClose }: Props) {
  const { store } = usePanel();
  const models = store.models.list.value.filter(model => model.state === 'ready');
  const [form, setForm] = useState<TokenizeForm>({
    ...DEFAULTS,
    model: models[0]?.id ?? '',
    split,
    column: dataset.text_column ?? ''
  });
  const set = (part: Partial<TokenizeForm>): void => setForm(before => ({ ...before, ...part }));
  const complete = form.model !== '' || form.folder.trim() !== '';
  const settings = complete ? asSettings(form) : null;
  const sending = useSubmit(async () => {
    if (settings) {
      const jobs = store.jobs.now;
      const { job } = await tokenize(store.api, dataset.id, settings);
      store.jobs.absorb(job, jobs);
      onStarted();
    }
  }, FIELDS);
  const { errorAt } = sending;
  return (
    <div class="jp-mistudio-form jp-mistudio-card" role="group" aria-label={t('tokenize.title')}>
      <Presets form={form} onApply={setForm} />
      <div class="jp-mistudio-fields">
        <SelectField
          label={t('tokenize.tokenizer')}
          value={form.model}
          options={[
            ...models.map(model => ({ value: model.id, label: model.name })),
            { value: '', label: t('tokenize.folder') }
          ]}
          onChange={model => set({ model })}
          error={errorAt('model')}
        />
        {form.model === '' && (
          <TextField
            label={t('field.path')}
            hint={t('tokenize.folder.hint')}
            value={form.folder}
            onChange={folder => set({ folder })}
            error={errorAt('tokenizer')}
          />
        )}
        <SelectField
          label={t('field.split')}
          value={form.split}
          options={dataset.splits.map(each => ({ value: each.name, label: each.name }))}
          onChange={value => set({ split: value })}
          error={errorAt('split')}
        />
        {dataset.columns.length > 1 && (
          <SelectField
            label={t('field.textColumn')}
            value={form.column}
            options={dataset.columns.map(each => ({ value: each.name, label: each.name }))}
            onChange={column => set({ column })}
            error={errorAt('column')}
          />
        )}
        <NumberField
          label={t('tokenize.context')}
          hint={t('tokenize.context.hint')}
          value={form.context}
          onChange={context => set({ context })}
          error={errorAt('context')}
        />
        <SelectField
          label={t('tokenize.mode')}
          hint={tData('tokenize.mode.hint', form.mode)}
          value={form.mode}
          options={MODES.map(mode => ({ value: mode, label: tData('tokenize.mode', mode) }))}
          onChange={mode => set({ mode: mode as TokenizeForm['mode'] })}
          error={errorAt('mode')}
        />
        {form.mode === 'chunk' && (
          <NumberField
            label={t('tokenize.overlap')}
            optional
            value={form.overlap}
            onChange={overlap => set({ overlap })}
            error={errorAt('overlap')}
          />
        )}
        <SelectField
          label={t('tokenize.bos')}
          value={form.bos}
          options={BOS.map(bos => ({ value: bos, label: tData('tokenize.bos', bos) }))}
          onChange={bos => set({ bos: bos as TokenizeForm['bos'] })}
        />
      </div>
      <CheckField
        label={t('tokenize.special')}
        checked={form.special}
        onChange={special => set({ special })}
      />
      <CheckField label={t('tokenize.chat')} checked={form.chat} onChange={chat => set({ chat })} />
      <Disclosure title={t('tokenize.filters')} open={errorAt(...FOLDED) !== null}>
        <div class="jp-mistudio-fields">
          <NumberField
            label={t('tokenize.minTokens')}
            optional
            value={form.minTokens}
            onChange={minTokens => set({ minTokens })}
            error={errorAt('min_tokens')}
          />
          <NumberField
            label={t('tokenize.minChars')}
            optional
            value={form.minChars}
            onChange={minChars => set({ minChars })}
            error={errorAt('min_chars')}
          />
          <NumberField
            label={t('tokenize.maxJunk')}
            hint={t('tokenize.maxJunk.hint')}
            optional
            value={form.maxJunk}
            onChange={maxJunk => set({ maxJunk })}
            error={errorAt('max_junk_share')}
          />
          <NumberField
            label={t('field.maxRows')}
            optional
            value={form.maxRows}
            onChange={maxRows => set({ maxRows })}
            error={errorAt('max_rows')}
          />
        </div>
        <CheckField
          label={t('tokenize.cleanJunk')}
          checked={form.cleanJunk}
          onChange={cleanJunk => set({ cleanJunk })}
        />
        <CheckField
          label={t('tokenize.skipBad')}
          checked={form.skipBad}
          onChange={skipBad => set({ skipBad })}
        />
      </Disclosure>
      <TokenizePreview
        // A row of one split is not that of another.
        key={form.split}
        dataset={dataset}
        split={form.split}
        column={form.column}
        settings={settings}
      />
      <FormEnd form={sending} action={t('tokenize.start')} disabled={!complete} onClose={onClose} />
    </div>
  );
}
