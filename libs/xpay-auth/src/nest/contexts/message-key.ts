/**
 * Identifies one message of a socket or of a microservice. The key is an element of the array of the message's arguments,
 * because only that array is new with each message: a socket or a transport's context may have many messages, and the payload
 * may be a primitive. Nest passes one array to all guards of a message, and a copy of that array to each parameter decorator.
 * Handlers do not receive the key.
 */
export class MessageKey {
  /**
   * Returns the key in these arguments. Inserts a new key if there is none.
   *
   * @param index position of a new key; a negative index counts from the end
   */
  static in(args: unknown[], index: number): MessageKey {
    const present = args.find((argument) => argument instanceof MessageKey);
    if (present !== undefined) return present;
    const key = new MessageKey();
    args.splice(index, 0, key);
    return key;
  }
}
