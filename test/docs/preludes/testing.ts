import { Test } from '@nestjs/testing';
import request from 'supertest';
import { XPayAuthTestingModule, XPayTestUpstream, asUser } from 'nestjs-xpay-auth/testing';
import { AppModule } from '../../../examples/testing/app.module.js';

// …
export { AppModule, Test, XPayAuthTestingModule, XPayTestUpstream, asUser, request };
