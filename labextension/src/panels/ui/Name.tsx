/** A name that a narrow panel breaks after its signs before it breaks within a word. */
export function Name({ text }: { text: string }) {
  return <>{text.split(/(?<=[-_/.,])/).flatMap(part => [part, <wbr />])}</>;
}
