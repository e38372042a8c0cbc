import { ApiProperty } from '@nestjs/swagger';

// What goes in and out, for readers of /docs. The values are made up.

export class LoginBody {
  @ApiProperty({ example: 'user@example.test' })
  username!: string;

  @ApiProperty({ format: 'password', example: 'your-secret-key' })
  secretKey!: string;
}

export class CallerBody {
  @ApiProperty({ example: 'user@example.test' })
  username!: string;

  @ApiProperty({ type: [String], example: ['tme_user'] })
  scopes!: readonly string[];

  @ApiProperty({ description: 'Whether the account is one for programs.' })
  isAPI!: boolean;

  @ApiProperty({
    description: 'Until when the upstream vouches for them, in ms since the epoch; absent where it does not say.',
    required: false,
    example: 1_893_456_000_000,
  })
  expiresAt?: number;
}

export class SessionBody {
  @ApiProperty({ description: 'For `Authorization: Bearer`.', example: 'bm90LWEtdG9rZW4tYnV0LWFzLWxvbmctYXMtb25l' })
  accessToken!: string;

  @ApiProperty({ enum: ['Bearer'] })
  tokenType!: 'Bearer';

  @ApiProperty({ description: 'When it ends by itself, in ms since the epoch.', example: 1_893_456_000_000 })
  expiresAt!: number;

  @ApiProperty({ example: 'user@example.test' })
  username!: string;

  @ApiProperty({ type: [String], example: ['tme_user'] })
  scopes!: readonly string[];
}

export class ReportBody {
  @ApiProperty({ example: 'user' })
  report!: string;

  @ApiProperty({ description: 'Who asked.', example: 'user@example.test' })
  for!: string;
}

export class PageBody {
  @ApiProperty({ required: false, type: 'integer', minimum: 1, maximum: 100, default: 1 })
  page?: number;

  @ApiProperty({ required: false, type: 'integer', minimum: 1, maximum: 100, default: 10 })
  pageSize?: number;
}
