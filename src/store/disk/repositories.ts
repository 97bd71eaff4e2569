import { type Database, integer } from "./database.ts";

/** The repository's row; undefined if it has never been pushed to. */
export function repositoryId(database: Database, name: string): number | undefined {
  const row = database.get("SELECT id FROM repository WHERE name = ?", name);
  return row === undefined ? undefined : integer(row, "id");
}

/** The repository's row, made if need be. Within a write. */
export function ensureRepository(database: Database, name: string): number {
  database.run("INSERT INTO repository (name) VALUES (?) ON CONFLICT DO NOTHING", name);
  const id = repositoryId(database, name);
  if (id === undefined) throw new Error(`repository ${name} vanished within a transaction`);
  return id;
}
