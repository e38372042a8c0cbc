import { applyDecorators } from '@nestjs/common';
import { ApiBadRequestResponse, ApiForbiddenResponse, ApiOkResponse, ApiOperation, ApiQuery } from '@nestjs/swagger';
import { ApiXPayFailures } from 'nestjs-xpay-auth/swagger';

/** Documents `/verify`. Its scopes are in the query, so no decorator declares them. */
export function DescribeVerify(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      summary: 'Forward auth: whether this request may pass',
      description: 'For a proxy, which sends any method and any path below `/verify`.',
    }),
    ApiQuery({
      name: 'scope',
      required: false,
      isArray: true,
      type: String,
      example: ['tme_user'],
      description: 'A scope the caller must hold. Repeat the parameter to require several.',
    }),
    ApiOkResponse({
      description: 'The request may pass.',
      headers: {
        'X-Auth-User': {
          description: "The caller's name, percent-encoded.",
          schema: { type: 'string', example: 'user%40example.test' },
        },
        'X-Auth-Scopes': {
          description: "The caller's scopes, each percent-encoded, separated by spaces.",
          schema: { type: 'string', example: 'tme_user' },
        },
        'Cache-Control': {
          description: 'The response must not be cached.',
          schema: { type: 'string', example: 'no-store' },
        },
      },
    }),
    ApiBadRequestResponse({
      description:
        'A parameter other than `scope`, an invalid scope, malformed credentials, or an ambiguous path of the original ' +
        'request in `X-Forwarded-Uri`, `X-Original-URI`, `X-Original-URL` or below `/verify`.',
    }),
    ApiForbiddenResponse({
      description: 'The caller lacks a scope.',
      headers: {
        'WWW-Authenticate': {
          description: 'The required scopes.',
          schema: { type: 'string', example: 'Bearer error="insufficient_scope", scope="tme_user"' },
        },
      },
    }),
    ApiXPayFailures('insufficient_scope'),
  );
}
