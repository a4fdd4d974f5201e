import { usePanel } from '../context';
import { bytes, integer } from '../lib/format';
import { count, t } from '../messages';
import type { Extraction } from '../types';
import { Button } from '../ui/Button';
import { EmptyState } from '../ui/EmptyState';
import { ErrorNote } from '../ui/ErrorNote';
import { RecordList } from '../ui/RecordList';
import { TableState } from '../ui/TableState';
import { ExtractionView } from './ExtractionView';
import { SendToKernel } from './SendToKernel';

function extractionMeta(extraction: Extraction): string {
  const facts: string[] = [];
  if (extraction.model && extraction.dataset) {
    facts.push(t('activations.of', { model: extraction.model, dataset: extraction.dataset }));
  }
  if (extraction.spec?.hooks) {
    facts.push(count(extraction.spec.hooks.length, 'hook'));
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
  const chosen = host.selection.value;
  const given = host.value('extraction_id');
  const open = 'extraction' in chosen ? chosen['extraction'] : given;
  const extraction = list.find(each => each.id === open || each.name === open);
  if (extraction) {
    // A panel that was made for one extraction has no list to go back to.
    const back = given ? undefined : () => host.select({ extraction: null });
    return <ExtractionView extraction={extraction} onBack={back} />;
  }
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-activations">
      <div class="jp-mistudio-toolbar">
        <h2>{t('activations.title')}</h2>
      </div>
      <TableState table={store.extractions}>
        {Boolean(open) && <ErrorNote error={{ message: t('activations.missing') }} />}
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
          onOpen={record => host.select({ extraction: record.id })}
          extra={record => <SendToKernel extraction={record} />}
        />
      </TableState>
    </div>
  );
}
