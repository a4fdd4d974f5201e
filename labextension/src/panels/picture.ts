/** The static picture of a widget's panel, an output of its own beside it. */

/** Takes the picture out of sight while the panel lives; returns the function that brings it back. */
export function hidePicture(id: unknown): () => void {
  if (typeof id !== 'string' || id === '') {
    return () => undefined;
  }
  const outputs = [...document.getElementsByClassName(`jp-mistudio-picture-${id}`)].map(
    each => each.closest<HTMLElement>('.jp-OutputArea-child') ?? (each as HTMLElement)
  );
  const show = (shown: boolean): void =>
    outputs.forEach(output => (output.style.display = shown ? '' : 'none'));
  show(false);
  return () => show(true);
}
