/** What the schematic asks of the tree that `@angular-devkit/schematics` hands it: the files of the app, not yet written. */
export interface Tree {
  exists(path: string): boolean;
  readText(path: string): string;
  /** As bytes, whatever they are; `null` where there is no such file. */
  read(path: string): Buffer | null;
  create(path: string, content: string): void;
  overwrite(path: string, content: string): void;
  getDir(path: string): Directory;
}

/** A folder of the tree, as `DirEntry` of the devkit. */
export interface Directory {
  /** Calls with every file below, by its path from the root. */
  visit(visitor: (path: string) => void): void;
}

/** What the schematic asks of the context. */
export interface Context {
  readonly logger: { info(message: string): void; warn(message: string): void };
  addTask(task: { toConfiguration(): { name: string; options: object } }): unknown;
}
