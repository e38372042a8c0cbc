// Invokes the handler of the compiled serverless example: `node invoke.mjs FILE AUTHORIZATION`. Prints the status of each
// invocation, and does not close the app.
const [, , file, authorization] = process.argv;
const { handler } = await import(file);
const invoke = (path, headers) => handler({ path, headers });

const first = await Promise.all(['/me', '/me', '/wallets'].map((path) => invoke(path, { authorization })));
const later = [
  await invoke('/me', { authorization }),
  await invoke('/wallets', { authorization }),
  await invoke('/me', {}),
];
console.log(`statuses ${[...first, ...later].map(({ statusCode }) => statusCode).join(' ')}`);
