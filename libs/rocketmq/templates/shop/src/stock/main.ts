import { serve } from '../serve.js';
import { StockModule } from './stock.module.js';

await serve(StockModule, 'stock', 3001);
