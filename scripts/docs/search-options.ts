// How the search of the site finds words. `npm run docs:site` asks it the questions of search-questions.ts.

/**
 * Of MiniSearch, at the build and in the browser, which gets the functions as text: they may use nothing from outside of them.
 * @see https://vitepress.dev/reference/default-theme-search#local-search
 */
export const miniSearch = {
  options: {
    // A code or an option is also a word as a whole.
    tokenize: (text: string): string[] => [
      ...text.split(/[\n\r\p{Z}\p{P}]+/u),
      ...(text.match(/[\p{L}\d]+(?:_[\p{L}\d]+)+/gu) ?? []),
    ],
    processTerm(term: string): string | undefined {
      const word = term.toLowerCase();
      const said =
        ' a an and are as at be by can do does for from how i if in is it my not of on or so that the this to what when where which why with you ';
      return said.includes(` ${word} `) ? undefined : word;
    },
  },
  searchOptions: {
    fuzzy: 0.2,
    prefix: true,
    boost: { title: 3, titles: 2, text: 1 },
    /** The reference is for who knows the name; a guide comes first. */
    boostDocument: (id: string): number =>
      id.includes('/reference/api/') ? 0.2 : id.includes('/reference/configuration') ? 0.4 : 1,
  },
};
