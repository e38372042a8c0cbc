import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { CurrentUser, type Principal, Scopes } from 'nestjs-xpay-auth';
import { ReportBody } from './docs/bodies.js';

@Controller()
export class ReportsController {
  @ApiOperation({ summary: 'A report for users' })
  @ApiOkResponse({ type: ReportBody, description: 'The report.' })
  @Scopes('tme_user')
  @Get('user/report')
  userReport(@CurrentUser() caller: Principal) {
    return { report: 'user', for: caller.username };
  }

  @ApiOperation({ summary: 'A report for administrators' })
  @ApiOkResponse({
    type: ReportBody,
    description: 'The report.',
    example: { report: 'admin', for: 'admin@example.test' },
  })
  @Scopes('tme_admin')
  @Get('admin/report')
  adminReport(@CurrentUser() caller: Principal) {
    return { report: 'admin', for: caller.username };
  }
}
