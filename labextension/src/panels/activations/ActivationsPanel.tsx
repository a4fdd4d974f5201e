import { usePanel } from '../context';
import { bytes, integer } from '../lib/format';
import { contract } from '../lib/hooks';
import { formatLayers } from '../lib/layers';
import { count, t } from '../messages';
import type { Extraction } from '../types';
import { Button } from '../ui/Button';
import { EmptyState } from '../ui/EmptyState';
import { ErrorNote } from '../ui/ErrorNote';
import { RecordList } from '../ui/RecordList';
import { useOpen } from '../ui/useOpen';
import { TableState } from '../ui/TableState';
import { ExtractionView } from './ExtractionView';
import { SendToKernel } from './SendToKernel';

function extractionMeta(extraction: Extraction): string {
  const facts: string[] = [];
  if (extraction.model && extraction.dataset) {
    facts.push(t('activations.of', { model: extraction.model, dataset: extraction.dataset }));
  }
  if (extraction.spec?.hooks) {
    const { layers, hooks } = contract(extraction.spec.hooks);
    facts.push(
      layers
        ? t(layers.length === 1 ? 'activations.where.one' : 'activations.where.other', {
            hooks: hooks.join(', '),
            layers: formatLayers(layers)
          })
        : count(hooks.length, 'hook')
    );
  }
  if (extraction.n_tokens) {
    facts.push(count(extraction.n_tokens, 'token', integer(extraction.n_tokens)));
  }
  if (extraction.bytes) {
    facts.push(bytes(extraction.bytes));
  }
  return facts.join(' · ');
}

/** The list of extractions, or the one that is open. */
export function ActivationsPanel() {
  const { store, host } = usePanel();
  const list = store.extractions.list.value;
  const given = host.value('extraction_id');
  const detail = useOpen(host, 'extraction', given);
  const extraction = list.find(each => each.id === detail.wanted || each.name === detail.wanted);
  if (extraction) {
    // A panel that was made for one extraction has no list to go back to.
    return (
      <ExtractionView
        key={extraction.id}
        extraction={extraction}
        onBack={given ? undefined : detail.back}
        takesFocus={detail.takesFocus}
      />
    );
  }
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-activations">
      <div class="jp-mistudio-toolbar">
        <h2>{t('activations.title')}</h2>
      </div>
      <TableState table={store.extractions}>
        {Boolean(detail.wanted) && <ErrorNote error={{ message: t('activations.missing') }} />}
        {list.length === 0 && (
          <EmptyState title={t('activations.empty')} text={t('activations.empty.text')}>
            {host.open && (
              <Button kind="primary" onClick={() => host.open?.('extract')}>
                {t('activations.goExtract')}
              </Button>
            )}
          </EmptyState>
        )}
        <RecordList
          noun="extractions"
          records={list}
          label={t('activations.title')}
          meta={extractionMeta}
          question={record => t('activations.delete', { name: record.name })}
          onOpen={record => detail.open(record.id)}
          returned={detail.returned}
          actions={record => <SendToKernel extraction={record} compact />}
        />
      </TableState>
    </div>
  );
}
