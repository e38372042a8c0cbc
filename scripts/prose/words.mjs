/** Openers that hide the subject of a sentence. A question may begin like this. */
export const OPENER =
  /^(?:wh(?:at|o|om|ose)(?:ever)?|(?:no|some|any|every)body|nothing|none of (?:it|what)|of (?:an?|what)(?= [^?]*$))\b(?![^?]*\?$)/i;

/**
 * Words with an unusual meaning, each with the usual term. A word that also has a standard meaning is matched only where
 * its neighbours show the unusual one. `the rest of` and `byte order mark`, for example, are accepted.
 */
export const ODD_WORDS = [
  [/\btroubl(?:e|ed|es|ing)\b/, 'failure, error, outage'],
  [/\b(?:no|some|any|every)body\b/, 'no one, the caller, every caller'],
  [/\bwho(?:m|ever|mever)\b/, 'any caller who, that'],
  [/\bstrangers?\b/, 'anonymous caller, attacker'],
  [
    /\blets? (?:in|(?:\w+ ){1,2}in(?= ?(?:[.,;:)]|$)))\b|\b(?:comes?|came) in(?= ?(?:[.,;:)]|$))/,
    'accept, authenticate',
  ],
  [/\bhears?\b|\bheard (?:of|from)\b|\b(?:is|are|was|were|been) told\b/, 'receive, be notified'],
  [/\btells? (?:of|nothing|apart)\b|\btold (?:of|apart)\b/, 'emit, report, distinguish'],
  [/\bnews\b/, 'notification'],
  [/\b(?:asks?|asked|asking) (?:the upstream|no one|nothing of)\b|\bupstream (?:is|was) asked\b/, 'call'],
  [/\bquestions? to the upstream\b/, 'upstream call'],
  [/\bremember(?:s|ed|ing)\b/, 'cache, keep'],
  [/\brefused (?:credentials?|keys?|secrets?|callers?|accounts?)\b/, 'rejected'],
  [/\bheed(?:s|ed|ing)?\b|\bheld back\b|\b(?:a|the|its|no|each) pauses?\b/, 'backoff, cooldown, follow'],
  [/\brests\b|\b(?:a|second's|of) rest\b(?! of)/, 'backoff'],
  [/\bbehind (?:the|its|their|a|his) callers?\b/, 'in the background'],
  [/\b(?:made|make) up for\b/, 'replay later'],
  [/\banew\b/, 'again'],
  [/\bh(?:ang|angs|ung) up\b/, 'disconnect'],
  [/\bwelcome\b/, 'trusted'],
  [/\b(?:un)?marked\b|(?<!order |question )\bmarks?\b/, 'decorator, requirement'],
  [/\bhouse\b|\brooms? of\b|\bdoors?\b/, 'codebase, module, import boundary'],
  [/\bonlookers?\b|\blook(?:s|ed|ing)? on\b/, 'observer'],
  [/\b(?:our|the app['’]s|the) own (?:account|token)\b/, 'app account, app token'],
  [/\blife\b(?! ?cycle)/, 'lifetime'],
  [/\bstands? in (?:the|a|an|its|no)\b/, 'is in'],
  [/\bseen to\b|\bin vain\b|\bfor nothing\b|\bword for word\b|\ball the same\b|\bso long as it\b/, 'plain words'],
  [/\bby itself\b|\bof (?:its|their|one['’]s) own(?= ?(?:[.,;:)]|$))/, 'separate, custom, automatically'],
  [/\blest\b|\bthereof\b|\bhence\b/, 'so that, of it, therefore'],
];
