/**
 * The panels as an anywidget front-end module: the sidebar and notebook cells render the same code.
 *
 * State keys of the model: `panel` (which one), `selection` (what is chosen in it), `base_url` and
 * `server_token` (null: from the page), `model_id`, `dataset_id`, `extraction_id` (what to show),
 * `picture` (names the static
 * picture to hide), `page_version` and `kernel_version` (of the host, to compare with the server's).
 */

import { render as renderTree } from 'preact';
import type { FunctionComponent } from 'preact';
import { ActivationsPanel } from './activations/ActivationsPanel';
import { hostOf } from './afm';
import type { RenderContext } from './afm';
import { findConnection } from './api';
import { ArchitecturePanel } from './architecture/ArchitecturePanel';
import { PanelContext } from './context';
import { DatasetsPanel } from './datasets/DatasetsPanel';
import { ExtractionPanel } from './extraction/ExtractionPanel';
import { JobsPanel } from './jobs/JobsPanel';
import { translateAll } from './messages';
import { ModelsPanel } from './models/ModelsPanel';
import { MonitorPanel } from './monitor/MonitorPanel';
import { offeredTranslation } from './page';
import { hidePicture } from './picture';
import { storeFor } from './session';
import { Connection } from './studio/Connection';
import { Studio } from './studio/Studio';
import { Versions } from './studio/Versions';
import { settle } from './styles';

const PANELS: Record<string, FunctionComponent> = {
  studio: Studio,
  datasets: DatasetsPanel,
  models: ModelsPanel,
  architecture: ArchitecturePanel,
  extraction: ExtractionPanel,
  jobs: JobsPanel,
  activations: ActivationsPanel,
  monitor: MonitorPanel
};

/** AFM: renders the model's panel into `el`; returns the function that takes it away again. */
function render({ model, el, signal }: RenderContext): () => void {
  const controller = new AbortController();
  const gettext = offeredTranslation();
  if (gettext) {
    translateAll(gettext);
  }
  const name = String(model.get('panel') ?? 'studio');
  const Room = PANELS[name] ?? Studio;
  const store = storeFor(
    findConnection(
      model.get('base_url') as string | null | undefined,
      model.get('server_token') as string | null | undefined
    )
  );
  const release = store.use();
  const root = document.createElement('div');
  root.className = `jp-mistudio jp-mistudio-panel-${name}`;
  el.append(root);
  settle(root, controller.signal);
  renderTree(
    <PanelContext.Provider value={{ store, host: hostOf(model, controller.signal) }}>
      <Versions />
      <Room />
      <Connection />
    </PanelContext.Provider>,
    root
  );
  const showPicture = hidePicture(model.get('picture'));

  const dispose = (): void => {
    if (!controller.signal.aborted) {
      controller.abort();
      renderTree(null, root);
      root.remove();
      showPicture();
      release();
    }
  };
  signal?.addEventListener('abort', dispose, { once: true });
  return dispose;
}

export default { render };
