import { ApiProperty } from '@nestjs/swagger';

// Request and response bodies as /docs shows them. All values are invented.

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

  @ApiProperty({ description: 'Whether the account belongs to a program rather than a person.' })
  isAPI!: boolean;

  @ApiProperty({
    description:
      'Time until which the upstream guarantees the grant, in ms since the epoch. Absent if the upstream states none.',
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

  @ApiProperty({ description: 'Time at which the session expires, in ms since the epoch.', example: 1_893_456_000_000 })
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
