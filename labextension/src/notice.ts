import type { TranslationBundle } from '@jupyterlab/translation';

import type { Problem } from './bundle';

/** Say why the panels are not there and what to do about it. */
export function problemNotice(
  problem: Problem,
  trans: TranslationBundle,
  retry: () => void
): HTMLElement {
  const [title, text, command] = explain(problem, trans);
  const notice = element('section', 'jp-mistudio-notice');
  notice.setAttribute('role', 'alert');
  notice.append(element('h3', '', title), element('p', '', text));
  if (command) {
    notice.append(element('pre', '', command));
  }
  const button = element('button', 'jp-mod-styled jp-mod-accept', trans.__('Try again'));
  button.addEventListener('click', retry);
  notice.append(button);
  return notice;
}

function explain(problem: Problem, trans: TranslationBundle): [string, string, string?] {
  switch (problem) {
    case 'server-missing':
      return [
        trans.__('The server half of miStudio is not enabled'),
        trans.__('Run this in the environment that Jupyter starts from, then restart Jupyter:'),
        'jupyter server extension enable mistudio_ext'
      ];
    case 'forbidden':
      return [
        trans.__('No access to miStudio'),
        trans.__('The server does not let you use miStudio. Log in again or ask its administrator.')
      ];
    case 'unreachable':
      return [
        trans.__('The server does not answer'),
        trans.__('Check that the Jupyter server is running and that the network is up.')
      ];
    case 'broken-bundle':
      return [
        trans.__('The panels could not be started'),
        trans.__('Reload the page. If that does not help, install miStudio again:'),
        'pip install --force-reinstall --no-deps mistudio-ext'
      ];
  }
}

function element(tag: string, className = '', text = ''): HTMLElement {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}
