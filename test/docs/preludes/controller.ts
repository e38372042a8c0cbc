import { Controller } from '@nestjs/common';
import { XPayHttpService } from 'nestjs-xpay-auth';

@Controller()
export class ReportsController {
  constructor(readonly xpay: XPayHttpService) {}

  // …
}
