import { expect } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { type XPayTestUpstream, asUser } from 'nestjs-xpay-auth/testing';
import request from 'supertest';

export async function example(app: INestApplication, upstream: XPayTestUpstream): Promise<object> {
  // …
  return { app, upstream };
}

export { asUser, expect, request };
