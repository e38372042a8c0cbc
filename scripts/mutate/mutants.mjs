import ts from 'typescript';

const K = ts.SyntaxKind;
const SWAPPED = new Map([
  [K.EqualsEqualsEqualsToken, '!=='],
  [K.ExclamationEqualsEqualsToken, '==='],
  [K.LessThanToken, '<='],
  [K.LessThanEqualsToken, '<'],
  [K.GreaterThanToken, '>='],
  [K.GreaterThanEqualsToken, '>'],
  [K.AmpersandAmpersandToken, '||'],
  [K.BarBarToken, '&&'],
  [K.PlusToken, '-'],
  [K.MinusToken, '+'],
  [K.AsteriskToken, '/'],
  [K.SlashToken, '*'],
]);
/** Nodes that are not mutated: they have no code at run time, or they are decorators, from which Nest builds the app. */
const SKIPPED = new Set([K.ImportDeclaration, K.ExportDeclaration, K.InterfaceDeclaration, K.Decorator]);

/** Returns every mutant of a source, in the order of the text. A mutant replaces `from`, at `start`–`end`, by `to`. */
export function mutantsOf(text) {
  const source = ts.createSourceFile('source.ts', text, ts.ScriptTarget.ES2022, true);
  const mutants = [];
  const replace = (node, to) => {
    const [start, { line }] = [node.getStart(source), source.getLineAndCharacterOfPosition(node.getStart(source))];
    mutants.push({ line: line + 1, start, end: node.end, from: text.slice(start, node.end), to });
  };
  const visit = (node) => {
    if (SKIPPED.has(node.kind) || ts.isTypeNode(node)) return;
    mutate(node, replace);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return mutants.toSorted((one, other) => one.start - other.start);
}

function mutate(node, replace) {
  const { parent } = node;
  const isCondition = (parent?.kind === K.IfStatement ? parent.expression : parent?.condition) === node;
  if (isCondition) for (const value of ['true', 'false']) replace(node, value);
  if (ts.isBinaryExpression(node)) {
    const { left, operatorToken: operator, right } = node;
    const isText = [left, right].some((side) => /['"`]/.test(side.getText())) && operator.kind === K.PlusToken;
    if (operator.kind === K.QuestionQuestionToken) replace(node, left.getText());
    // `===` and `!==` are not swapped if they are the whole condition, because the mutants `true` and `false` cover that.
    else if (SWAPPED.has(operator.kind) && !isText && !(isCondition && operator.getText().length === 3))
      replace(operator, SWAPPED.get(operator.kind));
  } else if (ts.isPrefixUnaryExpression(node) && node.operator === K.ExclamationToken && !isCondition) {
    replace(node, node.operand.getText());
  } else if (ts.isExpressionStatement(node) || (ts.isReturnStatement(node) && node.expression === undefined)) {
    replace(node, ';');
  } else if (
    ts.isReturnStatement(node) &&
    ts.findAncestor(node, ts.isFunctionLike)?.type?.getText().includes('boolean')
  ) {
    for (const value of ['true', 'false']) if (node.expression.getText() !== value) replace(node.expression, value);
  } else if (node.kind === K.TrueKeyword || node.kind === K.FalseKeyword) {
    if (!ts.isReturnStatement(parent)) replace(node, String(node.kind !== K.TrueKeyword));
  } else if (ts.isNumericLiteral(node)) {
    replace(node, `(${node.text} + 1)`);
  } else if (
    ts.isStringLiteral(node) &&
    !node.text.includes(' ') &&
    !(ts.isPropertyAssignment(parent) && parent.name === node)
  ) {
    // Strings with a space are messages for people. No test has to notice a change of them, so they are not mutated.
    replace(node, node.text === '' ? "'mutant'" : "''");
  }
}
