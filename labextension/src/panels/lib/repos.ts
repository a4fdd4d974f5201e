/** Names of repositories on the Hub, as `mistudio_ext/services/hub_ids.py` reads them. */

const REPO = /^(?:[A-Za-z0-9][\w.-]{0,95}\/)?[A-Za-z0-9_][\w.-]{0,95}$/;

/** Whether a text could be a repository: `org/name`, or one of the old names without an org. */
export function isRepoId(text: string): boolean {
  return REPO.test(text) && !text.includes('..') && !text.includes('--');
}
