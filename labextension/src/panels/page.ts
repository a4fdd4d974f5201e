/** What JupyterLab gives to all panels of its page, those in cells too. */

type Gettext = (text: string) => string;

const GETTEXT = Symbol.for('mistudio.gettext.v1');

const scope = globalThis as unknown as Record<symbol, Gettext | undefined>;

/** The lab extension calls this when it starts, before there are panels. */
export function offerTranslation(gettext: Gettext): void {
  scope[GETTEXT] = gettext;
}

/** The page's translation; null where no lab extension is. */
export function offeredTranslation(): Gettext | null {
  return scope[GETTEXT] ?? null;
}
