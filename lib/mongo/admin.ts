/**
 * @module mongo/admin
 *
 * `Admin`, shaped as the Node driver's: commands on the database `admin`, and on the database that it was taken from.
 */
import type { OperationOptions } from './collection-options.js';
import type { Db } from './db.js';
import { refuse } from './errors.js';
import type { Document } from './host.js';
import { pick } from './operation.js';

/** Commands on the database `admin`. */
export class Admin {
  readonly #admin: Db;
  readonly #db: Db;

  /** @internal */
  constructor(admin: Db, db: Db) {
    this.#admin = admin;
    this.#db = db;
  }

  async command(command: object, options: OperationOptions = {}): Promise<Document> {
    return this.#admin.command(command, options);
  }
  async listDatabases(
    options: OperationOptions & { filter?: object; nameOnly?: boolean; authorizedDatabases?: boolean } = {},
  ): Promise<Document> {
    return this.#admin.run({ listDatabases: 1, ...pick(options, ['filter', 'nameOnly', 'authorizedDatabases']) }, options, true);
  }
  async ping(options: OperationOptions = {}): Promise<Document> {
    return this.#admin.run({ ping: 1 }, options);
  }
  async buildInfo(options: OperationOptions = {}): Promise<Document> {
    return this.#admin.run({ buildInfo: 1 }, options);
  }
  async serverInfo(options: OperationOptions = {}): Promise<Document> {
    return this.buildInfo(options);
  }
  async serverStatus(options: OperationOptions = {}): Promise<Document> {
    return this.#admin.run({ serverStatus: 1 }, options);
  }
  async replSetGetStatus(options: OperationOptions = {}): Promise<Document> {
    return this.#admin.run({ replSetGetStatus: 1 }, options);
  }
  /** Drops a user of the database `admin`. */
  async removeUser(username: string, options: OperationOptions = {}): Promise<boolean> {
    return this.#admin.removeUser(username, options);
  }
  /**
   * Checks a collection of the database that this came from.
   *
   * @throws MongoUnexpectedServerResponseError when the server finds it damaged.
   */
  async validateCollection(name: string, options: OperationOptions & { background?: boolean } = {}): Promise<Document> {
    const reply = await this.#db.run({ validate: name, ...pick(options, ['background', 'full', 'repair', 'metadata']) }, options);
    if (reply['valid'] === false) {
      const { host } = this.#db.operations;
      throw refuse(host, 'collection', `Invalid collection ${name}`, 'MongoUnexpectedServerResponseError');
    }
    return reply;
  }
}
