// How long the filter of a receive may be, by tag or by SQL. Apart from the parser, which most brokers never load.

/** In characters. The real server takes any length; a list of a thousand tags is shorter than this. */
export const LONGEST_FILTER = 16 * 1024;
