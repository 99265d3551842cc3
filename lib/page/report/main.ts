import '../kit/theme.css';
