export { AppModule } from '../testing/app.module.js';
