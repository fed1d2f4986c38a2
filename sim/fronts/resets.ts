/** The document of the last LUN RESET as the simulator's administrator writes it: its number (2 bytes), and who asked. */

export function encodeReset(number: number, node: number): Uint8Array {
  return new Uint8Array([number >>> 8, number & 255, node]);
}

/** How many there have been, by the document of the last one. */
export function resetsOf(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 0 : bytes[0]! * 256 + bytes[1]!;
}
