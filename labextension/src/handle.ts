/** An extraction on its way into a kernel. */
export interface IHandleRequest {
  /** Id of the extraction. */
  extraction: string;
  /** The name that the user gave it. */
  name?: string;
  /** The variable to assign in the kernel. */
  variable: string;
}

/** Return the cell that opens an extraction's handle. */
export function handleSource({ extraction, name, variable }: IHandleRequest): string {
  const comment = name && name !== extraction ? `  # ${name.replace(/\s+/g, ' ')}` : '';
  return [
    'import mistudio_ext as ms',
    '',
    `${variable} = ms.open(${JSON.stringify(extraction)})${comment}`,
    variable
  ].join('\n');
}

/** Tell whether a kernel would take this as a variable's name. */
export function isVariable(name: string): boolean {
  return /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name);
}
