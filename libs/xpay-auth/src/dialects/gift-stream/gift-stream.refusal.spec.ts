import { describe, expect, it } from '@jest/globals';
import { saysWrongCredentials } from './gift-stream.refusal.js';

describe('I6 · a 400 of a login', () => {
  it.each([
    'Invalid Credentials',
    'Invalid email or password.',
    'Incorrect e-mail/password combination',
    'Wrong Password',
    'Unknown user',
    'User not found',
    'No such user',
    'No account found with that email address',
    'The password you entered is incorrect. Please try again!',
    'Username and password do not match',
    'This user doesn’t exist',
    'Login invalid',
  ])('is a refusal when it says %p', (message) => {
    expect(saysWrongCredentials(message)).toBe(true);
  });

  it.each([
    'Database connection lost',
    'Invalid request',
    'Not found',
    'Missing Email',
    'Missing Password',
    'Too many login attempts',
    'User service not found',
    'Login is temporarily unavailable',
    'Invalid response of the user database',
    'Could not load user',
    'Invalid Client Credentials',
    'Bad Gateway',
    'Invalid',
    'User',
    '',
  ])('is none when it says %p', (message) => {
    expect(saysWrongCredentials(message)).toBe(false);
  });
});
