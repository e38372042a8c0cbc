/**
 * Identifies one message of a socket or of a microservice. It is kept among the arguments of the message, because they are
 * all that is new with each message: the socket and the transport's context may carry many, and the payload may be a
 * primitive. Nest hands one array of arguments to the guards of a message, and a copy of that array to each parameter
 * decorator. Handlers do not receive it.
 */
export class MessageKey {
  /**
   * Returns the key of the message with these arguments. Inserts one where there is none.
   *
   * @param index where to insert it; a negative index counts from the end
   */
  static in(args: unknown[], index: number): MessageKey {
    const present = args.find((argument) => argument instanceof MessageKey);
    if (present !== undefined) return present;
    const key = new MessageKey();
    args.splice(index, 0, key);
    return key;
  }
}
