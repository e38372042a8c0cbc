import { applyDecorators } from '@nestjs/common';
import { ApiBadRequestResponse, ApiForbiddenResponse, ApiOkResponse, ApiOperation, ApiQuery } from '@nestjs/swagger';
import { ApiXPayFailures } from 'nestjs-xpay-auth/swagger';

/** What a reader of /docs is told of `/verify`: its scopes are in the query, where no mark sees them. */
export function DescribeVerify(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      summary: 'Forward auth: may this request pass?',
      description: 'For a proxy, which asks with any method and with any path below `/verify`.',
    }),
    ApiQuery({
      name: 'scope',
      required: false,
      isArray: true,
      type: String,
      example: ['tme_user'],
      description: 'A scope the caller must hold. Repeat it to ask for several; all are needed.',
    }),
    ApiOkResponse({
      description: 'It may pass.',
      headers: {
        'X-Auth-User': {
          description: "The caller's name, percent-encoded.",
          schema: { type: 'string', example: 'user%40example.test' },
        },
        'X-Auth-Scopes': {
          description: 'Their scopes, each percent-encoded, by spaces.',
          schema: { type: 'string', example: 'tme_user' },
        },
        'Cache-Control': { description: 'No cache keeps the answer.', schema: { type: 'string', example: 'no-store' } },
      },
    }),
    ApiBadRequestResponse({
      description:
        'Another parameter than `scope`, one that is no scope, malformed credentials, or an ambiguous path of the original ' +
        'request in `X-Forwarded-Uri`, `X-Original-URI`, `X-Original-URL` or below `/verify`.',
    }),
    ApiForbiddenResponse({
      description: 'The caller lacks a scope.',
      headers: {
        'WWW-Authenticate': {
          description: 'Which scopes were asked for.',
          schema: { type: 'string', example: 'Bearer error="insufficient_scope", scope="tme_user"' },
        },
      },
    }),
    ApiXPayFailures('insufficient_scope'),
  );
}
