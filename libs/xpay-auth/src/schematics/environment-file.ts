const LINES = `# xPay.stream, for nestjs-xpay-auth. This file holds a secret: keep it out of version control.
# The account of this app for calls to xPay. The verification of callers does not need it.
#XPAY_USERNAME=
#XPAY_SECRET_KEY=
# The address of xPay, if it is not https://apis.xpay.stream. \`npx xpay-emulator\` starts an emulator.
#XPAY_BASE_URL=http://127.0.0.1:4010
`;

/** Adds the variables of this library to the text of a `.env`, as comments. A text that names one of them stays unchanged. */
export function withVariables(text: string): string {
  if (/\bXPAY_[A-Z]/.test(text)) return text;
  if (text === '') return LINES;
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  return `${text.replace(/\s*$/, '')}${eol}${eol}${LINES.replaceAll('\n', eol)}`;
}

/** Whether a `.gitignore` excludes the `.env` beside it. The last line that matches decides, and `!` includes the file again. */
export function ignoresEnvironment(gitignore: string): boolean {
  const lines = gitignore.split(/\r?\n/).map((line) => line.trim());
  const last = lines.findLast((line) => /^!?(?:\/|\*\*\/)?(?:\.env\*?|\*\.env)$/.test(line));
  return last !== undefined && !last.startsWith('!');
}
