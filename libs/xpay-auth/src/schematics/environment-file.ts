const LINES = `# xPay.stream, for nestjs-xpay-auth. This file holds a secret: keep it out of version control.
# The account that this app itself calls xPay with. Callers are verified without it.
#XPAY_USERNAME=
#XPAY_SECRET_KEY=
# Where xPay is, unless it is https://apis.xpay.stream; \`npx xpay-emulator\` starts one that you can try with.
#XPAY_BASE_URL=http://127.0.0.1:4010
`;

/** The text of a `.env` with our variables, each as a comment to fill in; one that names any of them stays as it is. */
export function withVariables(text: string): string {
  if (/\bXPAY_[A-Z]/.test(text)) return text;
  if (text === '') return LINES;
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  return `${text.replace(/\s*$/, '')}${eol}${eol}${LINES.replaceAll('\n', eol)}`;
}

/** Whether git leaves a `.env` beside this `.gitignore` alone. */
export function ignoresEnvironment(gitignore: string): boolean {
  return gitignore.split(/\r?\n/).some((line) => /^(?:\/|\*\*\/)?(?:\.env\*?|\*\.env|\.env\.\*)\/?$/.test(line.trim()));
}
