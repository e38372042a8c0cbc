import { Test } from '@nestjs/testing';
import request from 'supertest';
import { AppModule } from '../../../examples/testing/app.module.js';

// …
export { AppModule, Test, request };
