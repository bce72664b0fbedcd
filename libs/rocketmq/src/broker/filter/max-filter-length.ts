// The maximum length of a filter, by tag or SQL. In a separate file, because most brokers never load the parser.

/** In characters. The real server has no limit; a list of a thousand tags is shorter than this. */
export const MAX_FILTER_LENGTH = 16 * 1024;
