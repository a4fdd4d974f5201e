import { usePanel } from '../context';
import type { Form } from '../lib/selection';
import { t } from '../messages';
import type { Notice } from '../types';
import { NumberField, SelectField, TextField } from '../ui/Field';
import { Disclosure } from '../ui/Section';

interface Props {
  form: Form;
  patch: (values: Record<string, unknown>) => void;
  errorAt: (...fields: string[]) => string | null;
  /** What the estimate says about single settings. */
  notices: readonly Notice[];
}

/** Layout, positions, number format, context and count; the rest under "Advanced". */
export function Settings({ form, patch, errorAt, notices }: Props) {
  const { store } = usePanel();
  const devices = store.system.value?.devices ?? [];
  const noticeAt = (field: string): string | undefined =>
    notices.find(notice => notice.field === field)?.message;
  const advanced = ['mode', 'batch_tokens', 'device', 'name'];
  const changed =
    form.mode !== 'truncate' || form.batchTokens !== null || form.device !== 'auto' || form.name;
  return (
    <>
      <div class="jp-mistudio-fields">
        <SelectField
          label={t('extract.layout')}
          value={form.layout}
          options={[
            { value: 'packed', label: t('extract.layout.packed') },
            { value: 'padded', label: t('extract.layout.padded') }
          ]}
          onChange={layout => patch({ layout })}
          hint={noticeAt('layout')}
          error={errorAt('layout')}
        />
        <SelectField
          label={t('extract.positions')}
          value={form.positions}
          options={[
            { value: 'all', label: t('extract.positions.all') },
            { value: 'last', label: t('extract.positions.last') },
            { value: 'mean', label: t('extract.positions.mean') }
          ]}
          onChange={positions => patch({ positions })}
          hint={noticeAt('positions')}
          error={errorAt('positions')}
        />
        <SelectField
          label={t('extract.dtype')}
          value={form.dtype}
          options={['float16', 'bfloat16', 'float32'].map(value => ({ value, label: value }))}
          onChange={dtype => patch({ dtype })}
          hint={noticeAt('dtype')}
          error={errorAt('dtype')}
        />
        <NumberField
          label={t('extract.context')}
          value={form.context}
          placeholder={
            form.model?.context
              ? `${t('extract.context.auto')}, ${Math.min(form.model.context, 1024)}`
              : t('extract.context.auto')
          }
          onChange={context => patch({ context })}
          hint={noticeAt('context')}
          error={errorAt('context')}
        />
        <NumberField
          label={t('extract.maxSamples')}
          value={form.maxSamples}
          placeholder={t('extract.maxSamples.all')}
          onChange={max_samples => patch({ max_samples })}
          error={errorAt('max_samples')}
        />
      </div>
      <Disclosure
        title={t('extract.advanced')}
        open={Boolean(changed) || errorAt(...advanced) !== null}
      >
        <div class="jp-mistudio-fields">
          <SelectField
            label={t('extract.mode')}
            value={form.mode}
            options={[
              { value: 'truncate', label: t('extract.mode.truncate') },
              { value: 'chunk', label: t('extract.mode.chunk') },
              { value: 'pack', label: t('extract.mode.pack') }
            ]}
            onChange={mode => patch({ mode })}
            error={errorAt('mode')}
          />
          <SelectField
            label={t('extract.device')}
            value={form.device}
            options={[
              { value: 'auto', label: t('extract.device.auto') },
              ...devices.map(device => ({
                value: device.id,
                label:
                  device.name && device.name !== device.id
                    ? `${device.id}: ${device.name}`
                    : device.id
              }))
            ]}
            onChange={device => patch({ device })}
            error={errorAt('device')}
          />
          <NumberField
            label={t('extract.batch')}
            value={form.batchTokens}
            placeholder={t('extract.batch.auto')}
            onChange={batch_tokens => patch({ batch_tokens })}
            error={errorAt('batch_tokens')}
          />
          <TextField
            label={t('extract.name')}
            value={form.name}
            placeholder={t('extract.name.placeholder')}
            onChange={name => patch({ name })}
            error={errorAt('name')}
          />
        </div>
      </Disclosure>
    </>
  );
}
