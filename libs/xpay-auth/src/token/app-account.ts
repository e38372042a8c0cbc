import { lengthPrefixed } from '../core/cache-key.js';
import { type Credentials, SealedCredentials, flawOf } from '../core/credentials.js';
import { KeyedDigest } from '../core/digest.js';
import { XPayAuthError } from '../core/errors.js';
import { nameOnly } from '../core/name-only.js';

/** The app's own account as it was read just now. */
export interface Account {
  readonly credentials: Credentials;
  /** The same for the same user name and key, and of no use elsewhere. */
  readonly version: string;
}

/** Reads the app's own account, which may change while the app runs. */
export class AppAccount {
  readonly #digest = new KeyedDigest();

  constructor(private readonly ask: () => Promise<Credentials>) {}

  /** Throws `configuration` when there is none, or none that could be anybody's. */
  async read(): Promise<Account> {
    const given = await this.#ask();
    const { username, secretKey } = given ?? {};
    if (typeof username !== 'string' || typeof secretKey !== 'string') {
      throw new XPayAuthError('configuration', 'The option `credentials` gave no { username, secretKey }');
    }
    const credentials = new SealedCredentials(username, secretKey);
    const flaw = flawOf(credentials);
    if (flaw !== undefined) {
      throw new XPayAuthError('configuration', `The option \`credentials\` gave a user name or a key that is ${flaw}`);
    }
    return { credentials, version: this.#digest.of(lengthPrefixed([username, secretKey])) };
  }

  async #ask(): Promise<Partial<Credentials> | null | undefined> {
    try {
      return await this.ask();
    } catch (thrown) {
      if (thrown instanceof XPayAuthError && thrown.code === 'configuration') throw thrown;
      const cause = nameOnly(thrown);
      throw new XPayAuthError('configuration', `The option \`credentials\` could not be read (${cause.message})`, {
        cause,
      });
    }
  }
}
