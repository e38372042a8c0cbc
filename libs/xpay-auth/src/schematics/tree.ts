/** The parts of the devkit's `Tree` that the schematic uses: the files of the app, before they are written. */
export interface Tree {
  exists(path: string): boolean;
  readText(path: string): string;
  /** The bytes of a file; `null` if there is none. */
  read(path: string): Buffer | null;
  create(path: string, content: string): void;
  overwrite(path: string, content: string): void;
  getDir(path: string): Directory;
}

/** The part of the devkit's `DirEntry` that the schematic uses. */
export interface Directory {
  /** Calls `visitor` with the path of every file below, from the root. */
  visit(visitor: (path: string) => void): void;
}

/** The parts of the devkit's `SchematicContext` that the schematic uses. */
export interface Context {
  readonly logger: { info(message: string): void; warn(message: string): void };
  addTask(task: { toConfiguration(): { name: string; options: object } }): unknown;
}
