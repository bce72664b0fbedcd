// Finds out whether Nest built a server's handlers with the application's own configuration: `inheritAppConfig` of
// `connectMicroservice`, of which a strategy is told nothing. It leans on an internal of Nest, the same on 10.4, 11 and 12: the
// configuration is asked for global filters while a handler is built, right before it is handed to the server.

/** Nest's `ApplicationConfig`, as far as it matters here. */
interface Config {
  getGlobalFilters(): unknown;
}

/** Counts how often the application's configuration is read. */
export class GlobalsWatch {
  private reads = 0;

  /** @param config undefined where this version of Nest keeps it elsewhere; then nothing is ever seen */
  constructor(config: Config | undefined) {
    if (typeof config?.getGlobalFilters !== 'function') return;
    const { getGlobalFilters } = config;
    config.getGlobalFilters = () => {
      this.reads += 1;
      return getGlobalFilters.call(config);
    };
  }

  /** How often so far. */
  get count(): number {
    return this.reads;
  }
}

/** The configuration that a creator of Nest's works by. */
export function configOf(creator: object): Config | undefined {
  return (creator as { readonly guardsContextCreator?: { readonly config?: Config } }).guardsContextCreator?.config;
}
