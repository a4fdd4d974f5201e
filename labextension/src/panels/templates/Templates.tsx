import { useEffect, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Model } from '../types';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { TableState } from '../ui/TableState';
import { DepthQuestion } from './DepthQuestion';
import { Exchange } from './Exchange';
import { SaveTemplate } from './SaveTemplate';
import type { Settings } from './spec';
import { TemplateRow } from './TemplateRow';
import type { TemplateSpec } from './types';
import { useLoading } from './useLoading';

interface Props {
  /** The form's settings, in the words of the extraction request. */
  value: Settings;
  /** The form's model: what a template is checked against. */
  model: Model | null;
  /** Takes a template's settings over into the form. */
  onApply: (spec: TemplateSpec) => void;
}

/** Extraction templates: save the form, load, favour, rename, delete, exchange as files. */
export function Templates({ value, model, onApply }: Props) {
  const { store } = usePanel();
  const [said, setSaid] = useState('');
  const loading = useLoading(model, onApply);
  useEffect(() => void store.loadTemplates(), []);
  const list = [...store.templates.list.value].sort((a, b) => +b.favorite - +a.favorite);
  return (
    <div class="jp-mistudio-templates" data-testid="mistudio-templates">
      <TableState table={store.templates}>
        {list.length === 0 && <p class="jp-mistudio-hint">{t('templates.empty')}</p>}
        <ul class="jp-mistudio-list" aria-label={t('templates.title')}>
          {list.map(template => (
            <TemplateRow
              key={template.id}
              template={template}
              busy={loading.busy}
              onLoad={() => {
                setSaid('');
                loading.start(template);
              }}
            />
          ))}
        </ul>
        {loading.asking && model && (
          <DepthQuestion template={loading.asking} model={model} onAnswer={loading.answer} />
        )}
        {loading.error && <ErrorNote error={loading.error} onDismiss={loading.clear} />}
        {loading.warning && <WarningNote message={loading.warning} />}
        <div class="jp-mistudio-hint" role="status">
          {loading.done || said}
        </div>
        <SaveTemplate
          settings={value}
          nLayers={model?.n_layers ?? null}
          onSaved={name => {
            loading.clear();
            setSaid(t('templates.saved', { name }));
          }}
        />
        <Exchange some={list.length > 0} onSaid={setSaid} />
      </TableState>
    </div>
  );
}
