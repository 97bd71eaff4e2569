/** Reports what is wrong with a key, given by its path. Must throw. */
export type Complain = (keys: readonly string[], problem: string) => never;

/**
 * A table of a configuration file, read key by key. Each reader answers undefined for a key that is not there and
 * complains about a value of another type; `end` complains about the keys that nobody read.
 */
export class Table {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: readonly string[];
  readonly #complain: Complain;
  readonly #known = new Set<string>();

  constructor(values: Readonly<Record<string, unknown>>, path: readonly string[], complain: Complain) {
    this.#values = values;
    this.#path = path;
    this.#complain = complain;
  }

  text(key: string): string | undefined {
    const value = this.#read(key);
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value === "") return this.wrong(key, "must be a text in quotes, and not empty");
    return value;
  }

  texts(key: string): readonly string[] | undefined {
    const value = this.#read(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.wrong(key, `must be a list: ${key} = ["…"]`);
    return value.map((item: unknown) =>
      typeof item === "string" && item !== "" ? item : this.wrong(key, "must hold texts in quotes, none of them empty"),
    );
  }

  flag(key: string): boolean | undefined {
    const value = this.#read(key);
    if (value === undefined || typeof value === "boolean") return value;
    return this.wrong(key, "must be true or false, without quotes");
  }

  number(key: string, least: number, most: number): number | undefined {
    const value = this.#read(key);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !(value >= least && value <= most))
      return this.wrong(key, `must be a number from ${least} to ${most}`);
    return value;
  }

  integer(key: string, least: number, most: number): number | undefined {
    const value = this.number(key, least, most);
    return value === undefined || Number.isInteger(value) ? value : this.wrong(key, "must be a whole number");
  }

  table(key: string): Table | undefined {
    const value = this.#read(key);
    if (value === undefined) return undefined;
    return isTable(value) ? this.#inner(value, key) : this.wrong(key, `must be a table: [${key}]`);
  }

  /** An array of tables; empty if there is none. */
  tables(key: string): readonly Table[] {
    const value = this.#read(key) ?? [];
    if (!Array.isArray(value) || !value.every(isTable)) return this.wrong(key, `must be tables: [[${key}]]`);
    return value.map((item, i) => this.#inner(item, key, String(i)));
  }

  wrong(key: string, problem: string): never {
    return this.#complain([...this.#path, key], problem);
  }

  /** Throws if the table has a key that nobody asked for: a misspelt setting must not be ignored. */
  end(): void {
    const unknown = Object.keys(this.#values).find((key) => !this.#known.has(key));
    if (unknown !== undefined) this.wrong(unknown, `is no setting; there is ${[...this.#known].toSorted().join(", ")}`);
  }

  #read(key: string): unknown {
    this.#known.add(key);
    return Object.hasOwn(this.#values, key) ? this.#values[key] : undefined;
  }

  #inner(values: Readonly<Record<string, unknown>>, ...keys: readonly string[]): Table {
    return new Table(values, [...this.#path, ...keys], this.#complain);
  }
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
