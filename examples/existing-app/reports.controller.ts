export { ReportsController } from '../testing/reports.controller.js';
