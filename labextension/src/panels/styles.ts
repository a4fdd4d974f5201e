/** Puts the panels' style sheet where a panel lives: the document, or the shadow root around it. */

import activations from './activations/activations.css';
import datasets from './datasets/datasets.css';
import monitor from './monitor/monitor.css';
import css from './panels.css';
import models from './models/models.css';
import shared from './ui/shared.css';
import templates from './templates/templates.css';

const SHEETS = [css, shared, activations, datasets, models, monitor, templates];

const MARK = 'data-jp-mistudio-style';

function inject(root: Document | ShadowRoot): void {
  const parent = 'head' in root ? root.head : root;
  if (parent.querySelector(`style[${MARK}]`)) {
    return;
  }
  const style = document.createElement('style');
  style.setAttribute(MARK, '');
  style.textContent = SHEETS.join('\n');
  parent.append(style);
}

/** Hosts may render into an element that they attach only afterwards: then this waits for it. */
function whenAttached(el: HTMLElement, lifetime: AbortSignal, then: () => void): void {
  if (lifetime.aborted) {
    return;
  }
  if (el.isConnected) {
    then();
  } else {
    // Frames do not come to a hidden page; a timer does.
    setTimeout(() => whenAttached(el, lifetime, then), 30);
  }
}

const SUPPRESS = 'data-lm-suppress-shortcuts';

/**
 * In command mode a notebook takes letters, arrows and Enter for itself, also those pressed in a
 * cell's output. This marks the element that has the focus as one whose plain keys are its own;
 * with Ctrl, Alt or Cmd the shortcuts go on working. The window hears keys first, which matters
 * because Notebook listens on the document while keys go down, JupyterLab while they bubble.
 */
function keepKeys(root: HTMLElement, lifetime: AbortSignal): void {
  const mark = (event: KeyboardEvent): void => {
    if (event.target instanceof Element && root.contains(event.target)) {
      event.target.toggleAttribute(SUPPRESS, !(event.ctrlKey || event.metaKey || event.altKey));
    }
  };
  window.addEventListener('keydown', mark, { capture: true, signal: lifetime });
}

/** Dresses a panel for the place where it lives. */
export function settle(root: HTMLElement, lifetime: AbortSignal): void {
  if (!root.isConnected) {
    // Nearly always it will be in the document: no flash of bare controls.
    inject(document);
  }
  whenAttached(root, lifetime, () => {
    const home = root.getRootNode();
    inject(home as Document | ShadowRoot);
    if (root.closest('.jp-Notebook')) {
      root.classList.add('jp-mistudio-in-cell');
      keepKeys(root, lifetime);
    }
  });
}
